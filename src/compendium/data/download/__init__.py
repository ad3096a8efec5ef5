"""Download: published files, fetched, verified and unpacked."""
