namespace Penstock.Bench.Money;

internal static class Queries
{
    public static Task<int> RunAsync(string root, int few, int many) => Task.FromResult(root.Length + few + many);
}
