return require "wingman.testbed.sim"
