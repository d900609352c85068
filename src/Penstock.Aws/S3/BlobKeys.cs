using System.Security.Cryptography;
using System.Text;
using Penstock.Blobs;
using Penstock.Kernel;

namespace Penstock.Aws.S3;

/// <summary>Keys of objects: <c>t/&lt;tenant&gt;/&lt;name&gt;</c>. A tenant whose name is not plain stands by its hash under <c>h/</c>, so that none is another's folder.</summary>
internal static class BlobKeys
{
    private const int LongestPlain = 64;

    public static string Of(TenantId tenant, BlobName name) => Folder(tenant) + string.Join('/', name.Parts());

    /// <summary>What the keys of all blobs in it begin with.</summary>
    public static string Of(TenantId tenant, string folder) => $"{Folder(tenant)}{string.Join('/', BlobName.PartsOfFolder(folder))}/";

    private static string Folder(TenantId tenant) => IsPlain(tenant.Value)
        ? $"t/{tenant.Value}/"
        : $"h/{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(tenant.Value)))}/";

    private static bool IsPlain(string text) => text.Length is > 0 and <= LongestPlain && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');
}
