-- Nothing yet: the number is that of the agents' events.
SELECT 1;
