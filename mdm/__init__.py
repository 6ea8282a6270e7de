"""The hub: captures changes, masters golden records from them and publishes views."""
