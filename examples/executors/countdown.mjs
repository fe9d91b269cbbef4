// A script for node_executor.mjs: says its number and enqueues the next one.
export default async function run({ job, emit }) {
  emit("item", { item_type: "number", data: { n: job.n, square: job.n * job.n } });
  if (job.n > 0) emit("enqueue", { target: "countdown.mjs", params: { n: job.n - 1 } });
}
