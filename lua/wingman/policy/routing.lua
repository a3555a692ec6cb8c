--- Routing policies: the node that gets the operations of a partition. Called for a partition when its
--- owner or backups change, and for all partitions when the usable nodes do; never per operation.
---
--- A policy is `function(partition, view) -> node id | nil`; nil holds the
--- partition's operations until the next change. `partition` has id, owner (node
--- id or nil) and backups (node ids); `view:usable(node_id)` says whether
--- operations can be sent there now, `view:nodes()` lists the usable ones.
local M = {}

--- Routes to the owner, and holds the operations while the owner is not usable. The only safe choice on a
--- 0.11 cluster, where a node acknowledges operations of other nodes' partitions and drops them.
function M.direct(partition, view)
  if partition.owner and view:usable(partition.owner) then return partition.owner end
  return nil
end

--- Routes to the owner, or while it is not usable to its first usable backup.
function M.backup(partition, view)
  if partition.owner and view:usable(partition.owner) then return partition.owner end
  for _, id in ipairs(partition.backups) do
    if view:usable(id) then return id end
  end
  return nil
end

--- Routes everything to one node. A 0.11 node drops operations of partitions that it does not own; a v2
--- node stores them itself.
function M.forward(_, view)
  return view:nodes()[1]
end

--- Routes to the owner, else to a usable backup, else to any usable node: `fallback = true`.
function M.direct_or_any(partition, view)
  return M.backup(partition, view) or view:nodes()[1]
end

return M
