"""The built-in simulator: an OpenAI-compatible provider over real HTTP that answers, misbehaves and keeps a bill."""
