"""What every request passes: request log, errors as problem documents, API keys, proxies, throttling."""
