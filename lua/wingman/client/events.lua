--- Every event of `client:on`, and what its listeners are given. The events of maps are in
--- wingman.client.map.
return {
  state = "(to, from, reason): the client's state has changed",
  node_connected = "({ id, url, dialect }): a node is connected and usable",
  node_lost = "({ id, url, reason, code, detail }): a usable node is lost",
  auth_failed = "(err): a node refused the token, or requires one and there is none",
  map_changed = "({ version, nodes }): the client uses a newer partition map",
  circuit = "({ node, url, state, reason }): the circuit breaker of a node opened, half-opened or closed",
  failover = "(failover): a failover is complete; see client:failovers",
  resumed = "({ partition, node, seconds }): the first acknowledgement of a partition after it had no route, or its connection was lost",
  high_watermark = "(operations): the op log has filled to its high watermark",
  low_watermark = "(operations): the op log has emptied to its low watermark",
  op_dropped = "(err): a full op log dropped its oldest write",
  op_rejected = "(err): a server rejected a write; see client:rejected",
  op_tries = "(err): a write was sent batch.tries times without an acknowledgement; it stays in the op log",
  ack_timeout = "({ node, url, ops }): a batch was not acknowledged in time",
  oplog_error = "(err): the op log's file cannot be written",
  oplog_recovered = "(): the op log's file can be written again",
  unverified = "(count): acknowledged writes that a 0.11 cluster may have lost in a membership change and that are not repeated",
  server_error = "(err): a server sent an error",
  message = "(message, node): a node sent a message that no request waits for; node: its id, or its URL while that is not known",
  frame = "(node, outward, message, bytes, is_text, listening): a frame was sent or received, on a listening connection or on one for operations, while wingman.inspect traces",
}
