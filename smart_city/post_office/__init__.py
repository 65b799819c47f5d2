"""The post office: events, published once and delivered until they are acknowledged."""
