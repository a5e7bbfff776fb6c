"""The built-in simulator: a provider of every dialect over real HTTP that answers, misbehaves and keeps a bill."""
