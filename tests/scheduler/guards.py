"""Guards of the Lua files, and for each a named test that fails without it.

`python -m tests.scheduler.guards` writes docs/ledger-guards.md; a test checks that the page is current.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

LUA = Path(str(files("quarry.scheduler").joinpath("lua")))
PAGE = Path(__file__).parents[2] / "docs" / "ledger-guards.md"


@dataclass(frozen=True)
class Guard:
    """A piece of Lua whose loss a test notices.

    Attributes:
        file: Lua file, relative to the folder.
        what: What the guard is for, in a few words.
        text: The piece; occurs once in the file.
        instead: What the mutant has in its place.
        test: ``module::function`` in tests/scheduler.
    """

    file: str
    what: str
    text: str
    instead: str
    test: str


_G = Guard
GUARDS = [
    # seed
    _G("seed_v2.lua", "a later batch does not create the crawl", "if from > 0 then return {'missing'} end", "",
       "test_seed::test_a_later_batch_of_a_crawl_that_is_gone_is_refused"),
    _G("seed_v2.lua", "another seeder does not take a crawl over", "redis.call('HGET', META, 'seeder') ~= seeder", "false",
       "test_seed::test_another_seeder_finds_that_the_crawl_exists"),
    _G("seed_v2.lua", "a repeated batch is known by its offset", "if upto <= offset and", "if false and",
       "test_seed::test_a_repeated_later_batch_changes_nothing"),
    _G("seed_v2.lua", "a batch starts where the last one ended", "if from ~= offset then return answer('offset') end", "",
       "test_seed::test_a_batch_at_another_offset_is_refused"),
    _G("seed_v2.lua", "nothing follows the last batch", "if head.status == 'open' then return answer('offset') end", "",
       "test_seed::test_after_the_last_batch_nothing_more_is_received"),
    _G("seed_v2.lua", "a batch after the cap counts nothing",
       "if redis.call('HGET', META, 'capped') == '1' then return answer('ok') end", "",
       "test_seed::test_a_batch_after_the_cap_was_met_is_not_received"),
    _G("seed_v2.lua", "what follows the cap in its batch is unread", "    if capped() then\n", "    if false then\n",
       "test_seed::test_what_follows_in_the_batch_that_meets_the_cap_is_unread"),
    _G("seed_v2.lua", "a cap that children met leaves seeds unread", "if capped() then\n  unread", "if false then\n  unread",
       "test_seed::test_children_that_meet_the_cap_leave_the_seeds_unread"),
    _G("seed_v2.lua", "a met cap ends the hold", "if final or met then", "if final then",
       "test_seed::test_what_follows_in_the_batch_that_meets_the_cap_is_unread"),
    _G("seed_v2.lua", "a stop leaves the rest unread, counted by its offset", "'offset', upto, 'last_admitted', 0,",
       "'last_admitted', 0,", "test_seed::test_after_a_stop_seeds_are_unread"),
    # claim
    _G("claim.lua", "one lease has one TOKEN", "if job.t and job.t ~= token then return {'busy'} end", "",
       "test_claim::test_a_second_claim_is_refused"),
    _G("claim.lua", "a repeated claim is no new delivery", "if not job.t then", "if true then",
       "test_claim::test_a_repeated_claim_by_the_same_token_gets_the_same_answer"),
    _G("claim.lua", "an owed job is not executed again", "or job.o then", "then",
       "test_claim::test_a_job_that_must_end_through_a_record_is_not_claimed"),
    _G("claim.lua", "only what was handed out is claimed", "or not executing(job)", "",
       "test_claim::test_what_was_not_handed_out_can_not_be_claimed"),
    # admit
    _G("admit_v2.lua", "only the lease holder admits", "not holds(job, token)", "not job",
       "test_admit::test_without_the_lease_nothing_is_admitted"),
    _G("admit_v2.lua", "a gap refuses", "if start > job.p and job.q == token then return {'gap', job.p} end", "",
       "test_admit::test_a_gap_refuses_and_changes_nothing"),
    _G("admit_v2.lua", "a gap of a new TOKEN takes no position", "if start > 0 and job.q ~= token then return {'gap', 0} end",
       "", "test_admit::test_a_new_delivery_whose_first_batch_was_forgotten_finds_a_gap"),
    _G("admit_v2.lua", "a new TOKEN starts at zero", "take_position(job, token)", "job.q = token",
       "test_admit::test_the_next_delivery_starts_at_zero_and_the_old_position_is_replayed"),
    # beat
    _G("beat.lua", "only the holder is renewed", "if holds(load_job(key), token) then", "if load_job(key) then",
       "test_beat::test_a_beat_names_the_lost_leases"),
    _G("beat.lua", "a lease is really renewed", "redis.call('ZADD', LEASES, 'XX', deadline, key)", "",
       "test_beat::test_a_beat_renews_the_lease"),
    # retry
    _G("retry_v2.lua", "a repeated retry is known by its TOKEN", "if job and job.r == token then return {'ok', n} end", "",
       "test_retry::test_a_repeated_retry_gives_one_more_attempt_not_two"),
    _G("retry_v2.lua", "only the lease holder retries", "if not holds(job, token) then return {'lost'} end", "",
       "test_retry::test_without_the_lease_nothing_is_retried"),
    _G("retry_v2.lua", "attempts are bounded", "job.a - job.f + 1 < head.max_attempts and ", "",
       "test_retry::test_spent_attempts_are_refused"),
    _G("retry_v2.lua", "a stopped crawl retries nothing", " and head.status ~= 'stopped' then", " then",
       "test_retry::test_in_a_stopped_crawl_nothing_is_retried"),
    _G("retry_v2.lua", "all events of the attempt are known first", "if job.p >= n then", "if true then",
       "test_retry::test_events_that_the_ledger_forgot_are_asked_for_before_the_retry"),
    _G("retry_v2.lua", "the position follows the record's TOKEN", "take_position(job, record_token)", "take_position(job, token)",
       "test_retry::test_a_record_of_an_earlier_delivery_of_the_attempt_is_adopted_with_its_token"),
    _G("retry_v2.lua", "events in no record are replayed", "  trim_position(job, n)\n", "",
       "test_retry::test_what_was_admitted_but_is_in_no_record_is_replayed"),
    _G("retry_v2.lua", "a kept attempt is not replayed by the next", "'p', job.a + 1, 0, 0, '', nil, token",
       "'p', job.a + 1, 0, job.p, job.q, nil, token", "test_retry::test_enqueue_events_of_a_failed_attempt_stay_counted"),
    _G("retry_v2.lua", "n is kept with the attempt", "job.k[tostring(job.a)] = n", "",
       "test_settle::test_a_zombies_record_of_a_retried_attempt_takes_its_attempts_record_out"),
    # settle
    _G("settle_v2.lua", "a job ends once", "if known == SUCCEEDED or known == FAILED then return", "if false then return",
       "test_settle::test_a_job_ends_once"),
    _G("settle_v2.lua", "a closed crawl stays as it is", "if head.status == 'closed' then return {'closed', 0, 1} end", "",
       "test_settle::test_after_the_close_an_unknown_record_changes_nothing"),
    _G("settle_v2.lua", "a new TOKEN replays the old position", "take_position(job, token)", "job.q = token",
       "test_settle::test_what_another_delivery_had_counted_is_replayed"),
    _G("settle_v2.lua", "the job ends with its last event", "if job.p < n then", "if false then",
       "test_settle::test_events_that_the_ledger_does_not_know_are_admitted_from_the_data"),
    _G("settle_v2.lua", "events in no record are replayed", "trim_position(job, n)\nif", "if",
       "test_settle::test_what_was_admitted_but_is_in_no_record_is_replayed"),
    _G("settle_v2.lua", "an unknown job is received too", "  count('received', 1)\n", "",
       "test_settle::test_a_job_that_the_ledger_does_not_know_is_received_admitted_and_replayed"),
    _G("settle_v2.lua", "an unknown job is replayed", "  count('replayed', 1)\n", "",
       "test_settle::test_a_job_that_the_ledger_does_not_know_is_received_admitted_and_replayed"),
    _G("settle_v2.lua", "an unknown job is seen from the first batch on",
       "if not known then mark_seen(bucket, field, ADMITTED, key) end", "",
       "test_settle::test_a_settler_of_an_unknown_job_that_died_is_followed_by_another"),
    _G("settle_v2.lua", "a job not executed leaves that counter", "s = known and 'x' or 'u'", "s = 'u'",
       "test_settle::test_a_job_held_as_not_executed_is_settled_by_its_record"),
    _G("settle_v2.lua", "kept events of the winner's attempt are replayed", "if tonumber(kept) >= attempt then", "if false then",
       "test_settle::test_a_zombies_record_of_a_retried_attempt_takes_its_attempts_record_out"),
    _G("settle_v2.lua", "kept events below the winner stay", "if tonumber(kept) >= attempt then", "if true then",
       "test_settle::test_attempts_below_the_winner_stay_counted"),
    _G("settle_v2.lua", "kept events above the winner are replayed", "tonumber(kept) >= attempt", "tonumber(kept) == attempt",
       "test_settle::test_retried_attempts_above_the_winner_are_replayed"),
    _G("settle_v2.lua", "an ended job is pending no more", "redis.call('ZREM', PENDING, key)\n", "",
       "test_settle::test_a_job_that_is_pending_again_is_settled_by_its_record"),
    _G("settle_v2.lua", "an ended job is owed no more", "redis.call('ZREM', OWED, key)\n", "",
       "test_settle::test_an_owed_job_is_settled_and_owed_no_more"),
    _G("settle_v2.lua", "an ended job leaves only its key", "forget_job(key)\n", "",
       "test_settle::test_an_ended_job_leaves_only_its_key_behind"),
    _G("settle_v2.lua", "the freed slot is handed out", "forget_job(key)\ndispatch(now)\n", "forget_job(key)\n",
       "test_settle::test_a_record_ends_its_job_and_frees_the_slot"),
    # expire
    _G("expire_v2.lua", "redeliveries are bounded", "running and job.v <= head.max_redeliveries", "running",
       "test_expire::test_spent_redeliveries_are_owed_a_record"),
    _G("expire_v2.lua", "a stopped crawl delivers nothing again", "running and job.v", "job.v",
       "test_expire::test_in_a_stopped_crawl_a_lapsed_delivery_is_owed_a_record"),
    _G("expire_v2.lua", "a lapsed delivery loses its lease", "    job.s = 'p'\n", "",
       "test_settle::test_a_job_that_is_pending_again_is_settled_by_its_record"),
    _G("expire_v2.lua", "a stop that died is finished", "if not running then", "if false then",
       "test_expire::test_it_finishes_a_stop_that_died_between_its_chunks"),
    _G("expire_v2.lua", "a message still in line is left alone", "if oldest then before =", "if oldest then local _ =",
       "test_expire::test_a_lease_that_nobody_claims_is_published_again"),
    _G("expire_v2.lua", "a popped message has its grace", "now - math.min(head.grace_ms, head.claim_ms)", "now",
       "test_expire::test_a_message_that_was_popped_and_lost_is_published_after_the_grace"),
    _G("expire_v2.lua", "an unclaimed lease waits no longer than its time", ", now - head.claim_ms)", ", 0)",
       "test_expire::test_a_lease_that_nobody_claims_is_published_again"),
    _G("expire_v2.lua", "one caller at a time owes a record", "redis.call('ZADD', OWED, now + head.lease_ms, key)", "",
       "test_expire::test_a_record_that_is_owed_is_asked_of_one_caller_at_a_time"),
    _G("expire_v2.lua", "what is left over is handed out", "dispatch(now)\nlocal at_once", "local at_once",
       "test_claim::test_at_most_500_leases_are_handed_out_a_call_and_the_rest_by_the_next"),
    _G("expire_v2.lua", "each list is looked at for itself", "stale_before(queue) then", "stale_before(QUEUE) then",
       "test_fleet_steps::test_a_job_of_a_profile_goes_to_the_list_of_that_profile"),
    _G("expire_v2.lua", "a long line hides no loss in another", "if #found > 0 or #waiting < 2 * limit then break end", "break",
       "test_fleet_steps::test_a_long_line_of_one_profile_does_not_hide_a_loss_in_another"),
    _G("expire_v2.lua", "what a stop now ended was stopped, not lost", "(job.v == 0 or at_once)", "job.v == 0",
       "test_fleet_steps::test_stop_now_owes_a_record_for_what_executes"),
    # surrender
    _G("surrender.lua", "only who holds a lease gives it back", "if not holds(load_job(key), token) then return {'lost'} end", "",
       "test_fleet_steps::test_a_surrendered_lease_is_delivered_again_at_once"),
    _G("surrender.lua", "a claimed lease is not published again", "'ZADD', UNCLAIMED, 'XX', 0", "'ZADD', UNCLAIMED, 0",
       "test_fleet_steps::test_a_message_that_cannot_be_served_is_published_again_at_once"),
    # script
    _G("script.lua", "the first version stands", "'HSETNX'", "'HSET'",
       "test_fleet_steps::test_the_first_version_of_a_script_that_was_recorded_stands"),
    # forget
    _G("forget.lua", "an open crawl is not forgotten", "head.status ~= 'closed' or redis.call('HEXISTS', META, 'announced') == 0", "false",
       "test_fleet_steps::test_a_closed_crawl_is_forgotten_without_a_rest"),
    # abandon
    _G("abandon.lua", "claimed leases lapse", "{LEASES, UNCLAIMED}", "{UNCLAIMED}",
       "test_abandon::test_what_a_dead_worker_held_is_delivered_again_at_once"),
    _G("abandon.lua", "unclaimed leases are published again", "{LEASES, UNCLAIMED}", "{LEASES}",
       "test_abandon::test_what_a_dead_worker_had_popped_is_published_again_at_once"),
    # stop
    _G("stop_v2.lua", "a stop now takes unclaimed leases too", "{LEASES, UNCLAIMED}", "{LEASES}",
       "test_fleet_steps::test_stop_now_owes_a_record_for_what_executes"),
    _G("stop_v2.lua", "what executes is owed a record", "owe(key, load_job(key), now)", "",
       "test_fleet_steps::test_stop_now_owes_a_record_for_what_executes"),
    _G("lib/envelope_v2.lua", "a job's own list is used", "or QUEUE\nend", "and QUEUE or QUEUE\nend",
       "test_fleet_steps::test_a_job_of_a_profile_goes_to_the_list_of_that_profile"),
    _G("stop_v2.lua", "a closed crawl is not stopped", "if head.status == 'closed' then return {'closed', 0, 0, 1} end", "",
       "test_stop::test_a_stop_after_the_close_is_refused"),
    _G("stop_v2.lua", "a stop ends the seeding hold", "count('seeding', -1)", "",
       "test_stop::test_a_stop_ends_the_seeding_hold"),
    # begin_close, close, retire, announce
    _G("begin_close.lua", "work keeps a crawl open", "if not idle() then return {'not_idle', revision} end", "",
       "test_close::test_a_crawl_with_work_left_can_not_close"),
    _G("begin_close.lua", "one caller at a time", "tonumber(lease[3]) > now", "false",
       "test_close::test_one_caller_at_a_time_compares_the_records"),
    _G("begin_close.lua", "a dead caller is waited for no longer", "tonumber(lease[3]) > now", "true",
       "test_close::test_one_caller_at_a_time_compares_the_records"),
    _G("close.lua", "close looks at the work again", "if not idle() then return {'not_idle'} end", "",
       "test_close::test_close_looks_at_the_work_again"),
    _G("close.lua", "a change since the comparison refuses", "or tonumber(stands[1] or '0') ~= tonumber(ARGV[5])", "",
       "test_close::test_a_change_since_the_comparison_refuses_the_close"),
    _G("close.lua", "who lost the lease does not close", "stands[2] ~= ARGV[4] or", "",
       "test_close::test_who_lost_the_lease_does_not_close"),
    _G("close.lua", "a repeated close is known", "if head.status == 'closed' then return {'already'} end", "",
       "test_close::test_a_repeated_close_is_known"),
    _G("close.lua", "the keys expire", "redis.call('PEXPIRE', KEYS[n], ARGV[6])", "",
       "test_close::test_nothing_expires_before_the_close_and_everything_after_it"),
    _G("retire.lua", "nothing expires before the close", "if head.status ~= 'closed' then return {'open'} end", "",
       "test_close::test_nothing_expires_before_the_close_and_everything_after_it"),
    _G("announce.lua", "one holder announces", "'HSETNX'", "'HSET'",
       "test_close::test_exactly_one_caller_announces"),
    _G("announce.lua", "only a closed crawl is announced", "if head.status ~= 'closed' then return {'open'} end", "",
       "test_close::test_exactly_one_caller_announces"),
    # reading
    _G("statuses.lua", "a key without a state was not executed", "status = 'not_executed'", "status = 'pending'",
       "test_statuses::test_each_status_is_told"),
    _G("statuses.lua", "a job being restored is still unknown", "GAUGES[job.s] or 'unknown'", "GAUGES[job.s] or 'pending'",
       "test_settle::test_a_job_that_the_ledger_does_not_know_is_received_admitted_and_replayed"),
    _G("counts.lua", "a missing crawl has no counters", "-- include: lib/present.lua", "",
       "test_close::test_every_step_refuses_a_crawl_that_is_not_there_and_creates_nothing"),
    _G("state_v2.lua", "a missing crawl has no state", "-- include: lib/present.lua", "",
       "test_close::test_every_step_refuses_a_crawl_that_is_not_there_and_creates_nothing"),
    _G("touch.lua", "a missing crawl is not created", "-- include: lib/present.lua", "",
       "test_close::test_every_step_refuses_a_crawl_that_is_not_there_and_creates_nothing"),
    # fragments
    _G("lib/present.lua", "no step acts without its crawl", "if head.refusal then return {head.refusal} end", "",
       "test_close::test_every_step_refuses_a_crawl_that_is_not_there_and_creates_nothing"),
    _G("lib/head.lua", "a newer schema is refused", "if tonumber(read[1]) > SCHEMA then return {refusal = 'newer'} end", "",
       "test_close::test_a_ledger_of_a_newer_schema_is_refused"),
    _G("lib/clock.lua", "tests turn the clock", "if ARGV[1] ~= '' then return tonumber(ARGV[1]) end", "",
       "test_close::test_a_repeated_close_is_known"),
    _G("lib/counters.lua", "every change moves the revision", "redis.call('HINCRBY', META, 'revision', 1)", "",
       "test_close::test_a_change_since_the_comparison_refuses_the_close"),
    _G("lib/counters.lua", "seeding is work", "\n    and current('seeding') == 0", "",
       "test_seed::test_the_first_batch_creates_the_crawl_under_a_hold"),
    _G("lib/counters.lua", "the deepest depth only grows", "if depth > deepest then", "if true then",
       "test_admit::test_the_deepest_depth_only_grows"),
    _G("lib/jobs.lua", "the lease is its TOKEN's", "and job.t == token", "",
       "test_beat::test_a_beat_names_the_lost_leases"),
    _G("lib/jobs.lua", "an owed job has no holder", " and not job.o", "",
       "test_beat::test_a_beat_of_a_delivery_that_was_given_up_does_not_bring_it_back"),
    _G("lib/jobs.lua", "an ended job's payload goes", "redis.call('HDEL', PAYLOADS, key)", "",
       "test_settle::test_an_ended_job_leaves_only_its_key_behind"),
    _G("lib/seen.lua", "buckets that exist are known", "redis.call('SETBIT', USED,", "local _ = ({",
       "test_names::test_the_bitmap_names_exactly_the_buckets_that_exist"),
    _G("lib/admission.lua", "a seen key is a duplicate", "if seen(bucket, field) then", "if false then",
       "test_admit::test_a_known_key_is_a_duplicate"),
    _G("lib/admission.lua", "depth is bounded", "if head.depth >= 0 and depth > head.depth then", "if false then",
       "test_admit::test_what_is_too_deep_is_not_admitted_and_not_seen"),
    _G("lib/admission.lua", "the cap holds", "if head.max_runs >= 0 and current('admitted') >= head.max_runs then",
       "if false then", "test_admit::test_what_is_over_the_cap_is_not_admitted_and_not_seen"),
    _G("lib/admission.lua", "a stopped crawl executes nothing new", "if head.status == 'stopped' then", "if false then",
       "test_admit::test_in_a_stopped_crawl_new_jobs_are_not_executed"),
    _G("lib/position.lua", "what lies below the position is skipped", "for n = job.p - start + 1, size do", "for n = 1, size do",
       "test_admit::test_of_a_batch_that_overlaps_only_the_new_part_counts"),
    _G("lib/position.lua", "a gap is not taken", "if start > job.p then return false end", "",
       "test_settle::test_a_batch_behind_the_position_leaves_no_gap"),
    _G("lib/position.lua", "no more than n are taken", "if job.p >= limit then break end", "",
       "test_settle::test_no_more_events_are_taken_than_the_record_has"),
    _G("lib/position.lua", "dropped events count to n and no further", "math.min(start + size + dropped, limit)",
       "start + size + dropped", "test_settle::test_what_the_policy_dropped_counts_as_received_and_duplicate"),
    _G("lib/position.lua", "the same TOKEN keeps its position", "if job.q == token then return end", "",
       "test_admit::test_a_repeated_batch_is_skipped"),
    _G("lib/position.lua", "another delivery's position is replayed", "count('replayed', job.p)\n  job.p, job.q", "job.p, job.q",
       "test_settle::test_a_repeated_batch_of_another_record_is_replayed_once"),
    _G("lib/pending.lua", "lowest depth first", "math.min(job.d, DEEPEST) * DEPTH_WEIGHT + place", "place",
       "test_claim::test_the_lowest_depth_goes_first_and_first_come_first_served_within_it"),
    _G("lib/pending.lua", "first come, first served", "DEPTH_WEIGHT + place", "DEPTH_WEIGHT - place",
       "test_claim::test_the_lowest_depth_goes_first_and_first_come_first_served_within_it"),
    _G("lib/dispatch_v2.lua", "leases are bounded by parallel", "head.parallel - current('leased')", "HAND_OUTS",
       "test_claim::test_at_most_parallel_leases_are_out"),
    _G("lib/dispatch_v2.lua", "the most leases at once are noted", "'peak_leased', leased)", "'peak_leased', 0)",
       "test_fleet_steps::test_the_most_leases_at_once_are_noted"),
    _G("lib/dispatch_v2.lua", "at most 500 a call", "HAND_OUTS = 500", "HAND_OUTS = 5000",
       "test_claim::test_at_most_500_leases_are_handed_out_a_call_and_the_rest_by_the_next"),
    _G("lib/dispatch_v2.lua", "a lease begins unclaimed", "job.s, job.t = 'l', nil", "job.s, job.t = 'l', 'T1'",
       "test_claim::test_a_lease_is_claimed_with_all_that_a_delivery_needs"),
    _G("lib/dispatch_v2.lua", "every lease has its message", "    publish(first, now)\n", "",
       "test_claim::test_at_most_parallel_leases_are_out"),
    _G("lib/envelope_v2.lua", "messages have ids of their own", "redis.call('HINCRBY', META, 'messages', 1)", "1",
       "test_claim::test_every_message_has_an_id_of_its_own"),
    _G("lib/envelope_v2.lua", "a message says when it was pushed", "string.format('%.0f', now)", "'0'",
       "test_claim::test_every_message_has_an_id_of_its_own"),
    _G("lib/stopping.lua", "what was ever leased ends through a record", "job.v == 0 and job.a == job.f", "true",
       "test_expire::test_a_redelivery_that_was_never_claimed_ends_as_lost"),
    _G("lib/stopping.lua", "a retry was leased before", " and job.a == job.f", "",
       "test_expire::test_a_retry_that_was_never_delivered_ends_as_stopped"),
    _G("lib/keys.lua", "each job has its bucket", "local FIRST_BUCKET = 12", "local FIRST_BUCKET = 11",
       "test_names::test_the_bitmap_names_exactly_the_buckets_that_exist"),
]  # fmt: skip


def page() -> str:
    """The table as a page."""
    lines = [
        "# Guards of the ledger",
        "",
        "Each row is a piece of a Lua file. `tests/scheduler/test_guards.py` takes it away (or turns it round) in a copy",
        "of the files and sees that the named test of `tests/scheduler/` fails. Written by",
        "`python -m tests.scheduler.guards`.",
        "",
        "| file | guard | without it fails |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{guard.file}` | {guard.what} | `{guard.test.replace('::', '.py::')}` |" for guard in GUARDS
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
