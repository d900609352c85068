using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace Penstock.Aws.DynamoDb;

/// <summary>Names as parts of an item's key, between <c>#</c>.</summary>
internal static class KeyPart
{
    private const int Longest = 80;

    private static readonly SearchValues<char> Plain = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@/-+");

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>A plain name as it is; any other, which could be long or hold a <c>#</c>, as <c>~</c> and its SHA-256. Two names never meet.</summary>
    public static string Of(string name) => name.Length is > 0 and <= Longest && !name.AsSpan().ContainsAnyExcept(Plain)
        ? name
        : $"~{Convert.ToHexStringLower(SHA256.HashData(Strict.GetBytes(name)))}";

    /// <summary>As <see cref="Of"/>; nothing is <c>~</c>, which no name becomes.</summary>
    public static string OfMaybe(string? name) => name is null ? "~" : Of(name);

    /// <summary>From 0 to <paramref name="shards"/> - 1, the same on every node.</summary>
    public static int Shard(string name, int shards)
    {
        // FNV-1a.
        var hash = 2166136261u;
        foreach (var c in name) hash = unchecked((hash ^ c) * 16777619u);
        return (int)((hash ^ (hash >> 15)) % (uint)shards);
    }
}
