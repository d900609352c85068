using System.Text;
using Penstock.Blobs;
using Penstock.Kernel;

namespace Penstock.Sqlite.Blobs;

/// <summary>
/// Where a blob's file is. Two names never share a path, whatever the file system makes of case, length and dots: a file ends in <c>~</c>, a folder in <c>+</c>,
/// a capital stands behind <c>^</c>, and what is too long for one name goes on below a folder that ends in <c>=</c>.
/// </summary>
internal static class BlobPath
{
    /// <summary>Bytes of a name of a file that every file system takes, with room for the mark.</summary>
    private const int Longest = 200;

    public static string Of(string root, TenantId tenant, BlobName name)
    {
        var parts = name.Parts();
        return Path.Combine(Folder(root, tenant, parts.SkipLast(1)), Encoded(parts[^1]) + "~");
    }

    public static string OfFolder(string root, TenantId tenant, string folder) => Folder(root, tenant, BlobName.PartsOfFolder(folder));

    private static string Folder(string root, TenantId tenant, IEnumerable<string> parts) =>
        // A tenant may be called anything.
        Path.Combine([root, Broken(Convert.ToHexStringLower(Encoding.UTF8.GetBytes(tenant.Value))) + "+", .. parts.Select(part => Encoded(part) + "+")]);

    private static string Encoded(string part)
    {
        var text = new StringBuilder(part.Length + 8);
        foreach (var c in part)
        {
            if (char.IsAsciiLetterUpper(c)) text.Append('^');
            text.Append(char.ToLowerInvariant(c));
        }

        return Broken(text.ToString());
    }

    private static string Broken(string part) => string.Join($"={Path.DirectorySeparatorChar}", part.Chunk(Longest).Select(chunk => new string(chunk)));
}
