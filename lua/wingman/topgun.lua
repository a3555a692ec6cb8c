require "wingman.client.node_report" -- its nodes are asked with it
return require "wingman.testbed.topgun"
