"""Scripts that live side by side in one process."""

from __future__ import annotations

from tests.executor.support import Serving, write_script


async def test_a_changed_script_is_loaded_anew(tmp_path):
    """The same file is loaded once; a new version, with its sibling, at the next run."""
    write_script(tmp_path, "value = 1\n", "sibling.py")
    source = "import sibling\nseen = []\nasync def run(ctx):\n    seen.append(1)\n    await ctx.emit.item('a', {'seen': len(seen), 'value': sibling.value, 'v': 1})\n"
    script = write_script(tmp_path, source)
    async with Serving() as executor:
        for run_id in ("a", "b"):
            executor.start(run_id, script)
            await executor.ended(run_id)
        write_script(tmp_path, "value = 22\n", "sibling.py")
        write_script(tmp_path, source.replace("'v': 1", "'v': 2"))
        executor.start("c", script)
        await executor.ended("c")
        assert [executor.items(run_id)[0] for run_id in "abc"] == [
            {"seen": 1, "value": 1, "v": 1},
            {"seen": 2, "value": 1, "v": 1},
            {"seen": 1, "value": 22, "v": 2},
        ]


async def test_each_script_gets_the_siblings_of_its_own_folder(tmp_path):
    """Also when both folders have a module of that name, and when it is imported late, inside run."""
    source = """
import helper
async def run(ctx):
    from helper import name
    import late
    import late_package.part
    await ctx.emit.item("a", {"early": helper.name, "again": name, "late": late.name, "part": late_package.part.name})
"""
    for folder in ("x", "y", "z"):
        for module in ("helper.py", "late.py", "late_package/__init__.py", "late_package/part.py"):
            write_script(tmp_path / folder, f"name = {folder!r}\n", module)
        write_script(tmp_path / folder, source)
    async with Serving() as executor:
        for turn in range(2):
            for folder in ("x", "y", "z"):
                executor.start(f"{folder}{turn}", str(tmp_path / folder / "script.py"))
        runs = [f"{folder}{turn}" for folder in "xyz" for turn in range(2)]
        await executor.ended(*runs)
        for run_id in runs:
            assert executor.items(run_id) == [dict.fromkeys(("early", "again", "late", "part"), run_id[0])]
