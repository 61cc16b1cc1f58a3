"""What a run tells machines that watch it: log lines, spans, and a ping at its start and end."""
