--- Every event of `client:on`, and what its listeners are given. The events of maps are in
--- wingman.client.map.
return {
  state = "(to, from, reason): the client's state has changed",
  node_connected = "({ id, url, dialect }): a node can be used",
  node_lost = "({ id, url, reason, code, detail }): a node that could be used cannot any more",
  auth_failed = "(err): a node refused the token, or wants one and there is none",
  map_changed = "({ version, nodes }): there is a newer partition map",
  circuit = "({ node, url, state, reason }): a node's circuit breaker opened or closed",
  failover = "(failover): a node loss is overcome; see client:failovers",
  resumed = "({ partition, node, seconds }): the first acknowledgement of a partition that had to wait",
  high_watermark = "(operations): the op log has filled to its high watermark",
  low_watermark = "(operations): the op log has emptied to its low watermark",
  op_dropped = "(err): a full op log dropped its oldest write",
  op_rejected = "(err): a server rejected a write; see client:rejected",
  op_tries = "(err): a write was sent again and again without an acknowledgement",
  ack_timeout = "({ node, url, ops }): a batch was not acknowledged in time",
  oplog_error = "(err): the op log's file cannot be written",
  oplog_recovered = "(): it can be written again",
  unverified = "(count): acknowledged writes of which it will not be known whether they are stored",
  server_error = "(err): a server answered with an error",
  message = "(message, node): a node sent a message that no request waits for; node: its id, or its URL while that is not known",
  frame = "(node, outward, message, bytes, is_text): a frame, while wingman.inspect traces",
}
