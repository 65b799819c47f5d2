"""The realm of the parity trial: services that fail, and count, the same way in every process."""
