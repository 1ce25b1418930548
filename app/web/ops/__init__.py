"""For machines that watch: health checks and metrics."""
