-- Fragment: refuses a crawl that is not there, or whose schema is newer than this step; creates nothing.
-- include: head.lua
local head = read_head()
if head.refusal then return {head.refusal} end
