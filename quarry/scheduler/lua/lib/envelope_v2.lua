-- Fragment: pushes the Celery message of a lease, as `apply_async` would (a contract test compares them).
-- `quarry_ts` says when it was pushed, in Redis milliseconds. A job whose message fragment names a list in
-- `quarry_queue` (workers of another profile read it) goes there instead of to the crawl's own list. That list's
-- name is data, so it is not among KEYS: the broker's lists never shared the crawl's hash slot.
-- include: keys.lua
local function queue_of(label)
  return label and string.match(label, '"quarry_queue":"([^"\\]+)"') or QUEUE
end

local function publish(key, now)
  local label = redis.call('HGET', MESSAGES, key) or '"shadow":null,"argsrepr":"()"'
  local queue = queue_of(label)
  local id = NONCE .. string.format('%012x', redis.call('HINCRBY', META, 'messages', 1))
  redis.call('LPUSH', queue, table.concat({
    '{"body":"[[\\"', CRAWL, '\\",\\"', key,
    '\\"],{},{\\"callbacks\\":null,\\"errbacks\\":null,\\"chain\\":null,\\"chord\\":null}]",',
    '"content-encoding":"utf-8","content-type":"application/json",',
    '"headers":{"lang":"py","task":"quarry.run","id":"', id, '","eta":null,"expires":null,"group":null,',
    '"group_index":null,"retries":0,"timelimit":[null,null],"root_id":"', id, '","parent_id":null,',
    label, ',"kwargsrepr":"{}","origin":"quarry","ignore_result":true,"replaced_task_nesting":0,',
    '"stamped_headers":null,"stamps":{},"quarry_ts":', string.format('%.0f', now), '},',
    '"properties":{"correlation_id":"', id, '","reply_to":"","delivery_mode":2,',
    '"delivery_info":{"exchange":"","routing_key":', cjson.encode(queue), '},',
    '"priority":0,"delivery_tag":"', id, '"}}',
  }))
end
