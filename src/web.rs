//! Webhooks, health and metrics over HTTP.
