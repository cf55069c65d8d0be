-- Arguments behind "--": method, path, bytes of the body, pipelined requests, "close" or "keep".
-- Prints one line of JSON.
local batch

function init(arguments)
  local method, path, length, depth, connection = (table.unpack or unpack)(arguments)
  wrk.method = method
  wrk.path = path
  if tonumber(length) > 0 then wrk.body = string.rep("x", tonumber(length)) end
  if connection == "close" then wrk.headers["Connection"] = "close" end
  if tonumber(depth) > 1 then
    batch = string.rep(wrk.format(), tonumber(depth))
    request = function() return batch end
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"bytes":%d,"micros":%d,"p50":%d,"p99":%d,"failures":%d}\n',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
