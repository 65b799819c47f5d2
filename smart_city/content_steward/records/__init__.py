"""The tables of the content steward and the queries on them: of files, of begun uploads."""
