package uuid

type UUID [16]byte

func NewString() string { return "" }

func New() UUID { return UUID{} }

func NewV7() (UUID, error) { return UUID{}, nil }
