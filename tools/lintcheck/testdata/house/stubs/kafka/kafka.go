package kafka

type Writer struct{}
