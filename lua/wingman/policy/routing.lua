--- Routing policies: where the operations of a partition go now. Asked about a partition when its
--- owner or backups change, about all when the usable nodes do; never per operation.
---
--- A policy is `function(partition, view) -> node id | nil`; nil holds the
--- partition's operations until the next change. `partition` has id, owner (node
--- id or nil) and backups (node ids); `view:usable(node_id)` says whether
--- operations can be sent there now, `view:nodes()` lists the usable ones.
local M = {}

--- Routes to the owner, and holds while it cannot be reached. The only safe choice on a 0.11 cluster,
--- which acknowledges a batch at the wrong node and drops it.
function M.direct(partition, view)
  if partition.owner and view:usable(partition.owner) then return partition.owner end
  return nil
end

--- Routes to the owner, and while it cannot be reached to its first backup that can.
function M.backup(partition, view)
  if partition.owner and view:usable(partition.owner) then return partition.owner end
  for _, id in ipairs(partition.backups) do
    if view:usable(id) then return id end
  end
  return nil
end

--- Routes everything to one node. A 0.11 server drops what it does not own; a v2 server keeps it where
--- it arrived.
function M.forward(_, view)
  return view:nodes()[1]
end

--- Routes to the owner, else to a backup, else to any node that can be reached: `fallback = true`.
function M.direct_or_any(partition, view)
  return M.backup(partition, view) or view:nodes()[1]
end

return M
