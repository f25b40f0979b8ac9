-- Replays: their range, how far they are, and the schemas that they write.
SELECT 1;
