return require "wingman.client.interrupt"
