-- A chat call whose prompt is never the same twice, so that no cache knows it. The parts come from Sample.cs by the environment.
local head, tail = os.getenv("BENCH_HEAD"), os.getenv("BENCH_TAIL")
local number = tonumber(os.getenv("BENCH_FIRST"))

function request()
  number = number + 1
  return head .. string.format("%012d", number) .. tail
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
