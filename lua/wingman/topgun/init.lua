return require "wingman.testbed.topgun"
