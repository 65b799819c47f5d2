"""The realm of the trials: small services that tell a ledger of every effect they have."""
