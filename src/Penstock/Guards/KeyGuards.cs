using System.Text;
using Penstock.Kernel;

namespace Penstock.Guards;

/// <summary>Guard rules that an admin gives a key, as they stand in its record: JSON that was checked when the key was made.</summary>
internal static class KeyGuards
{
    private const int Longest = 16 * 1024;

    /// <summary>What is stored; throws 400 that names the field.</summary>
    public static string Read(JsonView view)
    {
        GuardSettings.Read(view);
        var text = view.Raw();
        return text.Length <= Longest ? text : throw view.Bad($"must have at most {Longest} characters");
    }

    public static GuardSettings Parse(string stored) => GuardSettings.Read(JsonView.Parse(Encoding.UTF8.GetBytes(stored)));
}
