"""Does: claims jobs from dramatiq's queues, makes the calls, settles them, and keeps the store in order."""
