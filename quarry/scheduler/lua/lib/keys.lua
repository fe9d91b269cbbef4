-- Fragment: names of the KEYS that every step is given, in this order. Buckets of seen keys follow from
-- KEYS[FIRST_BUCKET] on, one for each job that the step names, in the order of its arguments.
local META, COUNTERS, STATES, PAYLOADS, MESSAGES = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local PENDING, LEASES, UNCLAIMED, OWED, USED = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local QUEUE = KEYS[11]
local FIRST_BUCKET = 12
-- ARGV that every step is given: the clock's override, the crawl, a random prefix for message ids.
local CRAWL, NONCE = ARGV[2], ARGV[3]
local FIRST_ARG = 4
