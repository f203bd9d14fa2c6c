-- From a decision to the request that it was made for: also of one that was made anew since, which only the log knows.
CREATE INDEX request_decision ON request (decision_id);
CREATE INDEX audit_decision ON audit_record (decision_id) WHERE decision_id IS NOT NULL AND request_id IS NOT NULL;
