using Xunit;

// The CDK's engine is one process of Node that answers one question at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
