using System.Text;
using Xunit;

namespace Penstock.Tests.Gateway.Wire.OpenAi;

/// <summary>
/// Whole wire bodies kept beside the tests. To write one anew, delete it and set <c>WRITE_GOLDENS=1</c>; read the difference before it is kept.
/// </summary>
internal static class Golden
{
    public static string Read(string path) => File.ReadAllText(PathOf(path));

    public static byte[] Bytes(string path) => File.ReadAllBytes(PathOf(path));

    public static void Match(string path, ReadOnlySpan<byte> actual) => Match(path, Encoding.UTF8.GetString(actual));

    public static void Match(string path, string actual)
    {
        var file = PathOf(path);
        if (!File.Exists(file) && Environment.GetEnvironmentVariable("WRITE_GOLDENS") == "1") File.WriteAllText(file, actual);
        Assert.Equal(File.ReadAllText(file), actual);
    }

    private static string PathOf(string path)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Penstock.slnx"))) folder = folder.Parent;
        return Path.Combine(folder.FullName, "tests", "Penstock.Tests", path);
    }
}
