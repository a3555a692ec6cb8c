return require "wingman.base.histogram"
