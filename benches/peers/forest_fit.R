# Trains ranger's forest and predicts with it, and prints one JSON object: what `forest_fit.py` is to the other peers.
#
# forest_fit.R                                                  trains a little and prints the version
# forest_fit.R DATA LABELS --trees N [--test DATA LABELS]
#
# The arrays are `.npy` files, 64 bits a value, rows one after the other. Imports and reading the data are not timed. The
# peak of memory counts from the moment when the data have been read, which R does by way of copies.

library(ranger)

read_npy <- function(path) {
  file <- file(path, "rb")
  on.exit(close(file))
  version <- readBin(file, "raw", 8)[7]
  length <- readBin(file, "integer", 1, size = if (version == 1) 2 else 4, signed = version != 1, endian = "little")
  header <- readChar(file, length, useBytes = TRUE)
  field <- function(pattern) regmatches(header, regexec(pattern, header))[[1]][2]
  type <- field("'descr': '([^']*)'")
  if (field("'fortran_order': (True|False)") != "False") stop(path, ": columns one after the other are not read here")
  shape <- as.numeric(strsplit(gsub("[ ,]+$", "", field("'shape': \\(([^)]*)\\)")), ", *")[[1]])
  values <- switch(type,
    "<f8" = readBin(file, "double", prod(shape), size = 8, endian = "little"),
    # R has no integers of 64 bits. Labels are small: the lower half is all of them.
    "<i8" = readBin(file, "integer", 2 * prod(shape), size = 4, endian = "little")[c(TRUE, FALSE)],
    stop(path, ": ", type, " is neither <f8 nor <i8")
  )
  if (length(shape) == 1) return(values)
  x <- t(matrix(values, nrow = shape[2]))
  colnames(x) <- paste0("x", seq_len(ncol(x)))
  x
}

status_bytes <- function(field) {
  line <- grep(paste0("^", field, ":"), readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) * 1024
}

now <- function() as.numeric(Sys.time())

train <- function(x, y, trees) {
  # Without the out-of-bag error, which the other peers do not compute either; gini, the rounded-down root of the columns
  # for a split, bootstrap and growth to purity are its defaults.
  ranger(x = x, y = factor(y), num.trees = trees, num.threads = parallel::detectCores(), oob.error = FALSE, seed = 42)
}

predicted <- function(model, x) {
  as.character(predict(model, x, num.threads = parallel::detectCores())$predictions)
}

# Level by level, from the root.
depth <- function(children) {
  level <- 0
  left <- children[[1]]
  right <- children[[2]]
  nodes <- 1
  repeat {
    nodes <- c(left[nodes], right[nodes])
    nodes <- nodes[nodes != 0] + 1
    if (length(nodes) == 0) return(level)
    level <- level + 1
  }
}

arguments <- commandArgs(trailingOnly = TRUE)
after <- function(option, count) {
  at <- match(option, arguments)
  if (is.na(at)) NULL else arguments[at + seq_len(count)]
}

if (length(arguments) == 0) {
  x <- matrix(rnorm(800), 200, dimnames = list(NULL, paste0("x", 1:4)))
  invisible(predicted(train(x, x[, 1] > 0, 2), x))
  cat(sprintf('{"version": "%s", "runtime": "R %s"}\n', packageVersion("ranger"), getRversion()))
  quit()
}

x <- read_npy(arguments[1])
y <- read_npy(arguments[2])
invisible(gc())
cat("5", file = "/proc/self/clear_refs")
idle <- status_bytes("VmRSS") - length(x) * 8

start <- now()
model <- train(x, y, as.integer(after("--trees", 1)))
train_s <- now() - start
memory <- status_bytes("VmHWM") - idle

predict_s <- min(sapply(1:3, function(time) {
  start <- now()
  predicted(model, x)
  now() - start
}))

accuracy <- "null"
if (!is.null(test <- after("--test", 2))) {
  accuracy <- sprintf("%.6f", mean(predicted(model, read_npy(test[1])) == read_npy(test[2])))
}
trees <- model$forest$child.nodeIDs
cat(sprintf(
  '{"train_s": %.6f, "predict_s": %.6f, "nodes": %d, "mean_depth": %.6f, "test_accuracy": %s, "memory_bytes": %.0f}\n',
  train_s, predict_s, sum(sapply(trees, function(tree) length(tree[[1]]))), mean(sapply(trees, depth)), accuracy, memory
))
