package ticket

// InboxStatement is for a test that explains it.
var InboxStatement = inbox
