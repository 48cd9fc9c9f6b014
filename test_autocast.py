"""Training and prediction in half precision: on a CPU with values, on a fake card without."""



