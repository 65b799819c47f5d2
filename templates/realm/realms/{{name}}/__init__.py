"""The realm of {{title}}: say here what it is for."""
