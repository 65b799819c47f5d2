"""The journey engine: a pure core that decides, a journal that remembers, a runner that calls."""
