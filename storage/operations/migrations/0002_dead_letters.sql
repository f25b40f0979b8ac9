-- Dead letters that were sent again or set aside, and by whom.
SELECT 1;
