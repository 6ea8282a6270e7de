"""The API: golden records and views over HTTP, for services and tools."""
