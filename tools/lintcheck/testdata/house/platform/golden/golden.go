package golden

const Name = "golden"
