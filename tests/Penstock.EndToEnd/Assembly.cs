// Each class measures its own server: two at once on a small machine would measure each other.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
