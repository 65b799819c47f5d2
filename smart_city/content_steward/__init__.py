"""The content steward: files. Upload, validation, malware scan, storage, access, basic metadata."""
