-- Months of the tables that grow for ever: making, measuring and dropping them.

-- name: make_month
SELECT make_month($1::text::regclass, $2::date, $3::int);
