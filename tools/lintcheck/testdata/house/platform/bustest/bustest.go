package bustest

const Name = "bustest"
